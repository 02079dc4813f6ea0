"""Base class of the three parts of a model: a closed-form part plus a neural correction."""

from __future__ import annotations

from torch import nn

__all__ = ["CorrectedModule"]


class CorrectedModule(nn.Module):
    """Sum of a closed-form part and a neural correction.

    The closed form is known before training, where the correction is zero. An optimiser can therefore give the two
    parts different learning rates. The correction is the submodule `correction`, or None; all other submodules belong
    to the closed form.
    """

    def closed_form_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the closed form, in the order of `parameters()`."""
        closed_form = [module for name, module in self.named_children() if name != "correction"]
        return [parameter for module in closed_form for parameter in module.parameters()]

    def correction_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the neural correction, in the order of `parameters()`."""
        corrections = [module for name, module in self.named_children() if name == "correction"]
        return [parameter for module in corrections for parameter in module.parameters()]
