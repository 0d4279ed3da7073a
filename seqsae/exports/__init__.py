"""The last room: what is made to leave a secure server: the profile of a data set, and the release of a run with its audit."""
