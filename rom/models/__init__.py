"""What a fit returns: forecast, encode, decode, evaluate, save and load."""
