"""What `dirlab.py` knows of breathing lungs: their files, and what others found."""
