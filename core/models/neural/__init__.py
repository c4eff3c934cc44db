"""What all models learnt by gradients share."""
