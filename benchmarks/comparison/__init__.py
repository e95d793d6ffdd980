"""What `registration.py` compares, and how it measures, keeps and shows it."""
