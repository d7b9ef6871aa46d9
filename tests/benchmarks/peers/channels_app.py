"""Django Channels with its pub/sub layer on Redis: a group for each conversation."""

import json
import os
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="for a benchmark only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="django.conf.urls.i18n",
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["PEER_REDIS_URL"]]},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 — wants settings first
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402


class Room(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send('{"type":"joined"}')

    async def disconnect(self, _code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive(self, text_data: str) -> None:
        said = json.loads(text_data)
        await self.channel_layer.group_send(self.room, {"type": "room.said", "ref": said["ref"], "text": said["text"]})

    async def room_said(self, event: dict[str, Any]) -> None:
        await self.send(json.dumps({"type": "said", "ref": event["ref"], "text": event["text"]}))


app = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("rooms/<str:room>", Room.as_asgi())])}
)
