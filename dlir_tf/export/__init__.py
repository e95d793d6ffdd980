"""Models for serving outside Python, and the checks that they still are the model.

TensorFlow isn't imported here: the command line looks at its options with the help
of `version_folder` before anybody waits for it.
"""
