"""What people see and click in a notebook.

``publish`` is the one place from which widgets are changed, ``figures`` carries Bokeh into the page, ``charts`` says
what the plots look like, ``panel`` what all panels share; then one module a panel.
"""
