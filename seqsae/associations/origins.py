"""Whether a feature may have seen what it is to foretell: follow-up that begins before what the view shows ends.

A record that ends at death or at a move is shorter the sooner that comes. Whatever a feature counts in what came after follow-up began,
it counts less of in those with the event: immortal time (Suissa 2008). No adjustment mends that.
"""

from seqsae.activations.store import Store
from seqsae.progress import say


def looks_ahead(entry: dict, store: Store) -> bool:
    """Whether follow-up of the survival covariate `entry` may have begun before what the view of `store` shows ends; said."""
    cut = store.samples["prediction_time"].is_not_null().all()
    if entry.get("origin") == "record_end" or (cut and entry.get("origin") == "prediction_time"):
        return False
    why = "its origin is not given" if entry.get("origin") is None else "its origin is the prediction time"
    say(
        f"covariate {entry['name']!r}: {why}, and view {store.view} may show what came after follow-up began (immortal time), "
        f"of which those who live long have more; give origin record_end{', or prediction_time,' if cut else ''} if that is so"
    )
    return True
