"""One module a group of sections: from a `StudyResult` to what the template shows."""
