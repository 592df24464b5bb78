"""The values of records, from bytes to Arrow columns and back."""
