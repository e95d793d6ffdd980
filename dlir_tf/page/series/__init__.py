"""Pages of series: a slider over frames, and curves over time."""

from dlir_tf.page.series.contents import SeriesContents as SeriesContents
from dlir_tf.page.series.writing import write_series_page as write_series_page
