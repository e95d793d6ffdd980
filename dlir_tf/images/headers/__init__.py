"""What the headers of image files say, read here before any native code sees them."""
