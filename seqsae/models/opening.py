"""`seqsae.open_model`: a model by the name under which a plugin offers it."""

from typing import Any

from seqsae import plugins
from seqsae.errors import SeqsaeError
from seqsae.models.contract import SequenceModel


def open_model(name: str, /, *, pool: str | None = None, **options: Any) -> SequenceModel:
    """The model that a plugin offers as `name`, made with the plugin's own options.

    Args:
        pool: `mean`, `cls`, `last`: one row a subject at each of its sites, which are then called `<site>@mean`; None: its
            own rows.
    Raises:
        SeqsaeError: no such model, an option the plugin does not know, or something that is no SequenceModel.
    """
    factory = plugins.find("models", name)
    try:
        model = factory(**options)
    except (SeqsaeError, OSError):
        raise
    except TypeError as cause:
        raise SeqsaeError(f"model {name!r}: {cause}; give the options its README names") from cause
    except (Exception, SystemExit) as cause:  # a plugin's own code can raise anything, or try to end the process
        raise SeqsaeError(
            f"model {name!r} cannot be opened: {type(cause).__name__}: {cause}; look at its options"
        ) from cause
    if not isinstance(model, SequenceModel):
        raise SeqsaeError(f"model {name!r} gave {type(model).__name__}, not a SequenceModel; see CONTRIBUTING.md")
    model.options = {key: value for key, value in options.items() if key not in ("path", "device")}
    if pool is None:
        return model
    from seqsae.models.pooling import pooled

    return pooled(model, pool)
