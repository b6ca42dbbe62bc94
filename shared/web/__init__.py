"""The HTTP layer: routes declared with pydantic shapes, OpenAPI 3.1, problem documents."""

from shared.web.api import ANYONE, SIGNED_IN, Api, Call, File, Reply, Route, Versioned
from shared.web.problems import Problem
from shared.web.shapes import Body, InstantUtc, Page, PageQuery, Query, Text, View, WholeNumber

__all__ = [
    "ANYONE",
    "SIGNED_IN",
    "Api",
    "Body",
    "Call",
    "File",
    "InstantUtc",
    "Page",
    "PageQuery",
    "Problem",
    "Query",
    "Reply",
    "Route",
    "Text",
    "Versioned",
    "View",
    "WholeNumber",
]
