"""Evidence from requests that both arms were asked."""
