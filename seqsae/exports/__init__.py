"""The last room: what is made to leave a secure server. So far the profile of a data set; the audited release comes next."""
