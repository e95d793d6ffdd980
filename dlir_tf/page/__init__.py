"""One page to look at a registration: images, transform and report in one file.

The page is drawn by niivue (BSD-2-Clause), which is in `niivue/`; `vendor.py` put it
there, and says how. What can be worked out here is worked out here, where it's tested;
`viewer/` holds what a browser has to do.
"""

from dlir_tf.page.contents import Landmarks as Landmarks
from dlir_tf.page.contents import PageContents as PageContents
from dlir_tf.page.writing import write_page as write_page
