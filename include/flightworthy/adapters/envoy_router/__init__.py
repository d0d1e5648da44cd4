"""The router: Envoy, told by files what to route and asked over its admin port what it routes."""

from flightworthy.adapters.envoy_router.admin import LoadedRoute, ModelView, RouterView, SlotView, read_view
from flightworthy.adapters.envoy_router.files import RouterFiles
from flightworthy.adapters.envoy_router.plan import Backend, ModelPlan

__all__ = [
    "Backend",
    "LoadedRoute",
    "ModelPlan",
    "ModelView",
    "RouterFiles",
    "RouterView",
    "SlotView",
    "read_view",
]
