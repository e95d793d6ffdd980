"""What finds the parameters of a pair's transform: a model, a refinement, or both."""

from collections.abc import Callable

from dlir_tf.compute.settings import check_backend
from dlir_tf.config import Config
from dlir_tf.models.litert import LiteRTModel
from dlir_tf.models.parameters import Parameters, Predictor, check_finite
from dlir_tf.numerics import UNCOMPILED, Numerics
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.size import check_work
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.quality import RefinementOutcome

# Takes the name of what is going on, the steps done, the steps to do and the loss.
OnProgress = Callable[[str, int, int, float], object]


def find_parameters(
    pair: WorkingPair,
    config: Config,
    model: Predictor | None,
    refine: int | None,
    on_progress: OnProgress,
    knowledge: Knowledge | None = None,
) -> tuple[Parameters, RefinementOutcome | None]:
    """What the model says, refined if asked to; or what refinement alone finds.

    Args:
        pair: On its working grid.
        config: The model's, or the one instead of it.
        model: May be none.
        refine: The steps of the refinement; 0 for none; `None` for none, but without a
            model for as many as the config says.
        on_progress: Told of these steps.
        knowledge: What the refinement goes by beside the images.

    Returns:
        Finite parameters, and what the refinement did, if there was one.

    Raises:
        InputError: If the parameters aren't finite, the pair can't be refined, or
            memory can't hold what that needs.
    """
    refined = model is None or bool(refine)
    check_work(pair.grid.shape, config, refined=refined)
    start = None
    if model is not None:
        start = model.predict(pair)
        check_finite(start)
        if not refined:
            return start, None
    check_backend()
    # A model that runs elsewhere does without the backend that this loads.
    from dlir_tf.refinement import refine as refine_parameters

    steps = config.refinement.steps if refine is None else refine
    found = refine_parameters(
        pair, config, steps, start=start, knowledge=knowledge, on_progress=on_progress
    )
    outcome = RefinementOutcome(found.steps, found.loss_before, found.loss_after)
    return found.parameters, outcome


def chosen_numerics(model: Predictor | None) -> Numerics:
    """The functions that evaluate the transform and warp images: the model's own.

    Without a model there was a refinement: it has loaded Numba, whose machine code is
    quicker than NumPy and SciPy.
    """
    if model is not None:
        return model.numerics
    from dlir_tf.numerics.compiled import COMPILED

    return COMPILED


def packages_used(model: Predictor | None, *, refined: bool) -> tuple[str, ...]:
    """What had a say in a result, whatever else the process has loaded.

    Args:
        model: What found it; may be none.
        refined: Whether it was refined.
    """
    found = ["numpy", "scipy"]
    if refined or chosen_numerics(model) is not UNCOMPILED:
        import keras

        found += ["numba", "keras", keras.backend.backend()]
    if isinstance(model, LiteRTModel):
        found.append("ai_edge_litert")
    return tuple(found)
