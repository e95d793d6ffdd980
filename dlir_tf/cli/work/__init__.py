"""What the commands do, once their options are read.

A command's own module holds its options and its help, and imports the module of its
name here when it is called. So a help text is there at once, and what a command needs
stands at the top of a module as everywhere else. TensorFlow alone is imported later:
faults in files and options are told before anybody waits for it.
"""
