"""The example bot's own actions: a slow answer, and a handoff that pauses the bot."""

import asyncio
import os

from rasa_sdk import Action
from rasa_sdk.events import ConversationPaused

SLOW_SECONDS = float(os.environ.get("HANDOFF_SLOW_SECONDS", "3"))


class ActionSlow(Action):
    """Answers late."""

    def name(self):
        return "action_slow"

    async def run(self, dispatcher, tracker, domain):
        # time.sleep would block every other conversation, too.
        await asyncio.sleep(SLOW_SECONDS)
        dispatcher.utter_message(text="Sorry for the wait.")
        return []


class ActionHandoff(Action):
    """Hands over by a text and by a payload, then pauses the bot."""

    def name(self):
        return "action_handoff"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="Human Handoff")
        dispatcher.utter_message(
            json_message={
                "handoff": True,
                "reason": "user_request",
                "department": "support",
                "sender": tracker.sender_id,
            }
        )
        # Most bots return only this event. So a resume must come with an
        # action_listen, or this action runs again.
        return [ConversationPaused()]
