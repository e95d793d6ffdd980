"""Where the answers of frames are kept while a series is being registered."""

from dlir_tf.series.frame import Answer


class Notes:
    """Answers in memory; see `dlir_tf.series.folder` for those that outlast a kill."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, int], Answer] = {}

    def recall(self, turn: int, frame: int) -> Answer | None:
        """The answer of a frame, if it was noted.

        Args:
            turn: 1, or 2 where frames are registered to their mean once more.
            frame: Its number, from 0.
        """
        return self._answers.get((turn, frame))

    def note(self, turn: int, frame: int, answer: Answer) -> None:
        """Notes the answer of a frame."""
        self._answers[turn, frame] = answer
