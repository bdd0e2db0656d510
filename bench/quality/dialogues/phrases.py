"""What people in dialogues say: each thing in several wordings, some kept back for held-out
dialogues, so that no method is tuned to the words that it is scored on.
"""

from collections.abc import Sequence
from typing import Final

from bench.quality.wordings import Wordings

NAMES: Final = Wordings(
    ("Anna", "Tom", "Maria", "Peter", "Laura", "David", "Sarah", "Martin"),
    ("Helen", "Oliver", "Nina", "George"),
)
WHEN: Final = ("today", "tomorrow morning", "before Friday", "after lunch", "next week")

TASKS: Final = Wordings(
    (
        "call the supplier about the missing pallets",
        "order two new freezers",
        "send the invoice to the hotel",
        "clean the storage room",
        "repair the back door",
        "print the price labels for the bread",
        "book a van for the trade fair",
        "update the opening hours on the website",
        "count the bottles in the cellar",
        "write the report about the accident",
        "move the red boxes to the top shelf",
        "train the new cashier",
        "check the temperature of the fridge",
        "renew the fire insurance",
        "pick up the uniforms from the laundry",
        "ask the landlord about the parking space",
        "install the camera above the entrance",
        "back up the customer database",
        "translate the safety manual",
        "replace the lamp in the stairway",
        "schedule the interview with the electrician",
        "return the damaged chairs",
        "prepare the slides for the workshop",
        "test the payment terminal",
    ),
    (
        "measure the window for the new curtains",
        "cancel the newspaper subscription",
        "scan the delivery notes",
        "water the plants in the lobby",
        "label the gas cylinders",
        "fix the login page",
        "reserve a table for the auditors",
        "draft a contract for the cleaning company",
    ),
)
"""What is to be done."""

NAMED_REQUEST: Final = Wordings(
    ("{name}, could you {task}?", "{name}, please {task}.", "{name}, can you {task} {when}?"),
    ("{name}, would you mind to {task} {when}?", "I need you to {task}, {name}."),
)
REQUEST: Final = Wordings(
    ("Could you {task}?", "Please {task} {when}.", "Can you {task}, please?"),
    ("Would you please {task}?", "You should {task} {when}."),
)
CALL_FOR: Final = Wordings(
    ("Can somebody {task}?", "Somebody has to {task} {when}.", "Who can {task}?"),
    ("We need someone to {task}.",),
)
PROMISE: Final = Wordings(
    ("I'll {task} {when}.", "I will {task}.", "Let me {task} {when}."),
    ("I am going to {task}.", "Leave it to me, I'll {task}."),
)
INSTEAD: Final = Wordings(
    ("All right, then I will {task} myself.",), ("Never mind, I'll {task} myself.",)
)
AGAIN: Final = Wordings(("Yes, I will {task} {when}.",), ("Of course, I'll {task}.",))
ASSIGNED: Final = Wordings(
    ("{name} will {task} {when}.", "{name} is going to {task}."),
    ("{name} promised to {task} {when}.",),
)
ACCEPTED: Final = Wordings(
    ("Sure, no problem.", "Okay, I'll do that.", "Yes, I will.", "Fine with me."),
    ("Consider it done.", "Okay, will do."),
)
VOLUNTEERED: Final = Wordings(
    ("I'll do it.", "I can take care of that.", "Okay, I'll do that."), ("That is one for me.",)
)
REFUSED: Final = Wordings(
    ("No, I have no time for that.", "Sorry, I can't do that."), ("I'm afraid not.",)
)

DECIDED_ON: Final = Wordings(
    (
        "close at six on Fridays",
        "take the offer from the bakery",
        "stay with the old logo",
        "paint the walls white",
        "hire a second driver",
        "stop selling plastic bags",
        "move the meeting to Tuesday",
        "rent the smaller warehouse",
        "open on the first Sunday of the month",
        "put the coffee machine into the hall",
        "give regular customers ten percent off",
        "keep the blue uniforms",
    ),
    (
        "postpone the launch until October",
        "drop the printed catalogue",
        "accept card payments only",
        "share one office with the sales team",
    ),
)
"""What is decided."""
DECISION: Final = Wordings(
    (
        "So we {thing}.",
        "We have decided to {thing}.",
        "It is settled then, we {thing}.",
        "We agreed to {thing}.",
        "Good, then we {thing}.",
        "From now on we {thing}.",
    ),
    ("Then let's {thing}, all agreed.", "The decision is to {thing}."),
)
PROPOSED: Final = Wordings(("Should we {thing}?",), ("Do we want to {thing}?",))
IN_FAVOUR: Final = Wordings(("Yes, I am for it.", "I think that is best."), ("Yes, absolutely.",))
PUT_OFF: Final = Wordings(
    ("Let us talk about something else.", "I have heard that before."),
    ("That is for another time.",),
)
IDEAS: Final = Wordings(
    (
        "Maybe we should buy a bigger truck.",
        "One could build a terrace on the roof.",
        "If I had more time, I would learn Italian.",
        "I would love to have a dog in the shop.",
        "My brother decided to sell his boat.",
        "The children agreed on a film in the end.",
        "I asked him to call me back, and he did.",
    ),
    (
        "Perhaps one day we will have a second branch.",
        "In theory we could sell online.",
        "The council decided to plant more trees.",
        "He promised me the moon, as always.",
    ),
)
"""What is neither promised nor decided."""

QUESTIONS: Final = Wordings(
    (
        "Who has the key of the cellar?",
        "When does the inspector come?",
        "Why is the heating so expensive this year?",
        "Which bank pays for the damage?",
        "Where did the second ladder go?",
        "How many guests come to the opening?",
        "What happens with the old computers?",
        "Who pays for the broken window?",
        "How long does the permit take?",
        "Which version runs on the till?",
    ),
    (
        "Who is the owner of the parking lot?",
        "What does the lawyer charge for a letter?",
        "When is the next holiday of the plumber?",
        "Where do we store the Christmas trees?",
    ),
)
NOT_KNOWN: Final = Wordings(
    ("I have no idea.", "Nobody told me.", "I don't know either.", "We would have to ask."),
    ("Good question.", "No clue, honestly."),
)
UNASKED: Final = Wordings(
    ("We still don't know {thing}.", "It is still open {thing}."), ("Nobody has told us {thing}.",)
)
UNKNOWN: Final = Wordings(
    (
        "who takes over the night shift",
        "how much the new floor costs",
        "when the street will be closed",
        "which colour the customer wants",
    ),
    ("whether the city allows the sign", "what the new tenant sells"),
)
"""What is open although nobody asks."""
ANSWERED: Final[Sequence[tuple[str, str]]] = (
    ("How many boxes came today?", "Twelve, as always."),
    ("When did the truck arrive?", "It came at half past seven."),
    ("Where is the stapler?", "It is in the top drawer."),
    ("How was your weekend?", "Quiet, we stayed at home."),
    ("Did you see the game?", "Yes, it was great."),
    ("Who worked on Monday?", "That was me."),
    ("Is the printer working?", "Yes, it works again."),
    ("What did the customer say?", "She liked the colour."),
    ("Could you say that again?", "I said that the lift is slow."),
    ("Can you hear me?", "Yes, I can hear you well."),
)

RISKS: Final = Wordings(
    (
        "The cable behind the counter is bare, somebody could get a shock.",
        "If the freezer fails again, we lose all the fish.",
        "The ladder is cracked and may break under a person.",
        "There is a risk that the delivery comes too late for Easter.",
        "The floor at the entrance is slippery, a customer might fall.",
        "Without a backup we could lose all the orders.",
        "The emergency exit is blocked by pallets, that is dangerous.",
        "If the supplier goes bankrupt, we have no flour.",
        "The gas bottle leaks, it could explode.",
        "The shelf is overloaded and could come down.",
    ),
    (
        "The brakes of the van are worn, that might cause an accident.",
        "Anybody could steal the cash, the safe does not lock.",
        "The password is known to everyone, we may be hacked.",
        "The smoke detector is dead, a fire would go unnoticed.",
    ),
)
NODDED: Final = Wordings(("That is true.", "Oh dear.", "I see."), ("Right, I noticed that too.",))

TALK: Final[Sequence[str]] = (
    "It rained all morning.",
    "The new cash register is quite fast.",
    "I had soup for lunch.",
    "My sister moved to Hamburg last year.",
    "The bread smells good today.",
    "We sold forty bottles of juice yesterday.",
    "The customer with the hat was here again.",
    "I called the bank yesterday.",
    "We cleaned the windows last week.",
    "Traffic was terrible this morning.",
    "The radio plays the same song every day.",
    "There were about thirty people in the shop.",
    "My bicycle has a flat tire.",
    "The red paint sells better than the blue one.",
    "They built a new bridge over the river.",
    "The meeting last month took three hours.",
    "He always parks in front of the gate.",
    "It gets dark early now.",
    "The old manager was very strict.",
    "I read about it in the newspaper.",
    "Our neighbours have three cats.",
    "The coffee was cold again.",
    "Sales in March were better than in April.",
    "The boxes are in the back room.",
    "The lift takes ages.",
    "She told me a funny story about her dog.",
    "Most people pay by card these days.",
    "I fixed the drawer two days ago.",
    "The film on Saturday was too long.",
    "It was a busy week for all of us.",
    "The shelf by the door is new.",
    "Last summer the ice cream was sold out by noon.",
    "The school opposite has a holiday.",
    "I slept badly because of the storm.",
    "Yesterday the truck came twice.",
    "The plumber was friendly and quick.",
    "That shop around the corner closed.",
    "There is a nice smell of oranges here.",
    "My uncle used to be a baker.",
    "The parking lot is full on Saturdays.",
    "We used to have green uniforms.",
    "The potatoes come from a farm nearby.",
    "The old phone rang all the time.",
    "I ran into our teacher at the station.",
    "They say the winter will be mild.",
    "The tea in the kitchen is from India.",
    "The children drew a picture of the shop.",
    "The tables outside were all taken.",
    "I forgot my umbrella on the bus.",
    "The clock over the door is five minutes fast.",
    "We will see.",
    "Let me think.",
)
"""Nothing follows from it."""
TALK_KEPT_BACK: Final[Sequence[str]] = (
    "The museum has a new exhibition.",
    "My knee hurts when it is cold.",
    "We delivered sixty parcels on Wednesday.",
    "The accountant retired in spring.",
    "That song reminds me of school.",
    "The bus was late, as usual.",
    "Apples were cheap this season.",
    "The new colleague speaks four languages.",
    "They repainted the town hall.",
    "I swam in the lake on Sunday.",
    "The courier left a card at the door.",
    "Half of the lights were off last night.",
)
REPLIES: Final = ("Really?", "I see.", "Yes, indeed.", "Oh well.", "That happens.", "Nice.")
HELLO: Final = Wordings(("Good morning everybody.", "Hello, shall we begin?"), ("Hi all.",))
BYE: Final = Wordings(("Thank you, that was all.", "See you tomorrow."), ("Have a nice evening.",))
