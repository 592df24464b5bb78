"""What people see and click in a notebook."""
