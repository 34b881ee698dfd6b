"""A name -> (model, tokenizer): the shipped micro models, pretrained models from packages, a folder, or the Hub."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "load": ["check_names", "checkpoint", "is_micro", "is_shipped", "load_model"],
        "micro": ["build", "build_all", "pretrain"],
        "packaged": ["PACKAGED"],
        "size": ["parameters"],
    },
)
