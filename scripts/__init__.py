"""What an operator runs; imports neither kserve's server nor scikit-learn."""
