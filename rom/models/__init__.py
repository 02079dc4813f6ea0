"""What a fit returns, and what can be done with it.

- `reduced_order_model` and `autoencoder`: the two classes of results, with `base` for what they share.
- `forecasting` and `validity`: forecasts and their flag; `input_scaling` and `arguments`: what they are given.
- `modules`: all numbers of a model. `file_format` and `load`: its file. `build` and `closed_form`: its networks.
- `evaluation` and `latent_quality`: how good it is.
"""
