"""Whether a worker of a cluster can register pairs; asked before it's given any.

This module is sent to workers as it is, since they may have another version of this
package, or none. So it stands on its own, and imports nothing of it at its top.
"""

import platform
from typing import Any

# How much of a worker's resource of this name one pair takes: as many as that are read,
# registered and written there at a time.
RESOURCE = "dlir-tf"
WHOLE_WORKER = 3


async def make_fit(
    version: str, model: Any, model_digest: str, dask_worker: Any = None
) -> str:
    """Lets a worker have pairs, if it can do them as the others do.

    Args:
        version: Of this package where the pairs come from.
        model: Where the model is.
        model_digest: Of its files.
        dask_worker: The worker itself, which Dask adds.

    Returns:
        A sentence on why it can't; empty if it can.
    """
    place = f"{dask_worker.address} (on {platform.node()})"
    try:
        from dlir_tf._version import __version__
    except ImportError:
        return f"{place}: has no dlir-tf; install dlir-tf {version} there"
    if __version__ != version:
        return (
            f"{place}: has dlir-tf {__version__}, but {version} is here; "
            "install the same on both"
        )
    from dlir_tf.cohort.settings import digest_of_model

    try:
        found = digest_of_model(model)
    except (ValueError, OSError):
        return (
            f"{place}: can't read the model {model}; put it where all workers find it "
            "by this name, on a shared disk say"
        )
    if found != model_digest:
        return (
            f"{place}: has another model at {model} than there is here; copy the same "
            "to both"
        )
    await dask_worker.set_resources(**{RESOURCE: WHOLE_WORKER})
    return ""
