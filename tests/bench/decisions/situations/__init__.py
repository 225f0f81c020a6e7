"""Every situation that is compared, and what must hold in it."""
