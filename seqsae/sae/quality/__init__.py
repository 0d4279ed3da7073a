"""What an SAE is worth: metrics of reconstruction and of dictionaries."""
