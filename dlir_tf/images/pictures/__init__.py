"""Pictures: PNG, TIFF and JPEG files as 2-d images.

**Where a picture lies.** As for ITK, which reads the same files: its first axis runs
along a row from left to right, its second one down the rows, and the first pixel's
centre is the origin. ITK's world is LPS, so column `c` and row `r` lie at
`(-c * width, -r * height)` mm in RAS+, where width and height are a pixel's. Transform
files and points mean the same in ITK as here.

**How large its pixels are** is said in `dlir_tf.images.pictures.resolution`.
"""
