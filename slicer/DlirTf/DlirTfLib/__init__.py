"""What the module does apart from Slicer's windows."""
