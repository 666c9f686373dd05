"""Twenty known topics of short invented texts, for measuring topics. Written for this alone: nothing was tuned on them.

A text is a lead, a situation, a detail and a question; lead and detail of any topic may be one that all topics share, so
that topics overlap in words. Not here: the demo's world (`dagster_project/demo`), which topics were developed with.
"""

from random import Random

_LEADS = (
    "I don't know where to start, but|So this has been going on for weeks:|Quick question, because|Honestly,|Hi there,|"
    "Long story short,|I keep thinking about this:|It's late and|Maybe you can help,|I feel silly for asking, but"
)
_SHARED = (
    "I can't stop turning it over in my head|I haven't told anybody about this|my friends say I should let it go|"
    "it has been like this since spring|I am tired of it|I don't want to make a fuss|it comes up every single day|"
    "part of me thinks I am overreacting|I just want some peace|I have tried to ignore it"
)
LEADS, SHARED = _LEADS.split("|"), _SHARED.split("|")

_TOPICS = {
    "interview": (
        "I have a job interview on Thursday|a recruiter invited me to a second interview|my last interview went badly|the hiring manager wants to talk to me again|I froze when they asked about my weaknesses|a company called me back for an interview",
        "the panel has four people|the position is above my current level|I have a gap in my resume|they will ask about salary",
        "How do I prepare for the interview?|What should I say about my weaknesses?|How do I answer the salary question?|What do recruiters want to hear?",
    ),
    "insomnia": (
        "I lie awake until four every night|I wake up at three and can't fall asleep again|my sleep has fallen apart|I dread going to bed|I slept two hours last night|sleep just does not come",
        "the alarm rings at six|my pillow is soaked|I scroll on my phone in the dark|coffee keeps me upright all day",
        "How do I fall asleep again?|What helps against lying awake?|Is a fixed bedtime any good?|How do people sleep through the night?",
    ),
    "divorce": (
        "my husband filed for divorce|my wife moved out last month|we signed the separation papers|our marriage is over after twelve years|the divorce lawyer sent a letter|I am getting divorced",
        "we still share the house|the wedding photos are on the wall|he took half of the furniture|she wants to sell the house",
        "How does one get through a divorce?|Should I fight for the marriage?|How do I live as a divorced person?|When does the separation stop hurting?",
    ),
    "exam": (
        "my finals start on Monday|I failed my statistics exam|I have three exams in one week|I can't concentrate on studying for the test|the entrance exam is close|I blank out in every exam",
        "the textbook has nine hundred pages|the professor gives no hints|everyone in the library looks prepared|my notes are a mess",
        "How do I make a study plan?|What helps with exam nerves?|How do I remember what I study?|How many hours should I study?",
    ),
    "grief": (
        "my father died in March|we buried my grandmother last week|I lost my best friend to cancer|the funeral was yesterday|it is the first year without my mum|my brother passed away",
        "his jacket still hangs in the hall|I keep her voice messages|people have stopped asking|the grave has no stone yet",
        "How long does grief last?|Is it normal to be angry at the dead?|How do I mourn him?|How do I go on after the funeral?",
    ),
    "toddler": (
        "my toddler screams at every meal|our two year old hits other children|the baby will not nap|my little daughter has tantrums in the supermarket|my son refuses the potty|our toddler bites at the daycare",
        "the nursery has called twice|grandma gives him sweets|the terrible twos are real|the stroller is a battlefield",
        "How do I handle a tantrum?|How do I teach a toddler to share?|What do other parents do?|When does this phase end?",
    ),
    "money": (
        "my credit card debt is growing|I am two months behind on rent|the bank rejected my loan|I can't pay the bills this month|I owe eight thousand on three cards|my savings are gone",
        "the interest eats everything|the landlord sent a warning|payday is two weeks away|I hide the envelopes in a drawer",
        "How do I make a budget?|Which debt should I pay first?|How do I talk to the bank?|How do I start saving?",
    ),
    "running": (
        "I signed up for a half marathon|I want to start running|my knees hurt after five kilometres|I keep skipping my training runs|my running pace is stuck|I ran my first race",
        "my shoes are two years old|the hills near us are steep|the training plan says thirty kilometres|it rains every morning",
        "How do I build up my distance?|How often should a beginner run?|How do I stay motivated to run?|What is a good pace for me?",
    ),
    "boss": (
        "my boss humiliated me in the meeting|my manager takes credit for my work|my supervisor messages me at midnight|the new team lead ignores me|my boss changes her mind every day|my manager gave me a bad review",
        "human resources is useless|the whole department heard it|my colleagues look away|the promotion went to his friend",
        "How do I confront my boss?|Should I go to human resources?|How do I set limits with a manager?|Is it time to quit the job?",
    ),
    "dating": (
        "my dating profile gets no matches|we had three dates and he disappeared|I have a first date on Friday|I like a girl from the dating app|he ghosted me after the second date|I have not been on a date in years",
        "his last message was a smiley|we met at a wine bar|she took nine hours to reply|my photos are from last summer",
        "What should I text her?|How do I ask her out?|What do I write in my profile?|How soon is too soon for a second date?",
    ),
    "panic": (
        "I had a panic attack on the train|my heart races and I can't breathe|panic comes out of nowhere|I am afraid of the next panic attack|my chest tightens in crowds|I thought I was having a heart attack",
        "my hands tingle|the doctor found nothing|I get off one stop early|I count the exits everywhere",
        "How do I stop a panic attack?|What are breathing exercises for panic?|Can panic be cured?|How do I ride the train again?",
    ),
    "cat": (
        "my old cat stopped eating|our kitten scratches the sofa|the cat wakes me by walking on my face|the vet says my cat is too fat|I adopted a shelter cat|my two cats fight",
        "the litter box is in the hall|she purrs like an engine|the scratching post stays untouched|he hides under the bed",
        "Do cats get lonely?|How do I introduce two cats?|What do I feed a picky cat?|How do I keep a cat busy?",
    ),
    "roommate": (
        "my flatmate never washes the dishes|my roommate plays music at two at night|the shared kitchen is disgusting|my roommate's boyfriend lives with us for free|my housemate eats my food|we argue about the cleaning rota",
        "the lease runs until June|the bin overflows|there is a note war on the fridge|I buy all the toilet paper",
        "How do I talk to my roommate?|How do we share the chores?|Should I move out of the flat?|What is a fair cleaning plan?",
    ),
    "drinking": (
        "I drink a bottle of wine every evening|I want to stop drinking|I had four weeks sober and then relapsed|my hangovers are getting worse|I hide the vodka from my family|I need a beer to relax",
        "the recycling is full of bottles|Friday nights are the worst|everyone at the bar knows me|my hands shake in the morning",
        "How do I quit alcohol?|How do I say no to a drink?|What do I do about cravings?|How do I stay sober at parties?",
    ),
    "novel": (
        "my novel is stuck at chapter nine|I have not written a page in months|my writing group tore up my manuscript|I can't finish my first draft|an agent rejected my book|I have writer's block",
        "the main character is flat|the plot has a hole|I rewrite the first page forever|the deadline of the contest is near",
        "How do I beat writer's block?|How do I build a writing routine?|How do I finish a draft?|How do I deal with rejection by publishers?",
    ),
    "inlaws": (
        "my mother in law criticises my cooking|my in-laws drop by without calling|my husband always sides with his mother|his parents expect us every Christmas|my mother in law rearranged our bedroom|the in-laws want to name our baby",
        "she has a key to our house|his sister joins in|the family dinner lasts six hours|my husband says she means well",
        "How do I set boundaries with my in-laws?|How do I tell my husband?|How do I survive Christmas with them?|Should I confront his mother?",
    ),
    "diet": (
        "I binge on chocolate at night|I gained ten kilos since the summer|every diet fails after a week|I want to lose weight before the holidays|I eat when I am bored|I count calories all day",
        "the scale is my enemy|my jeans do not close|the snack drawer calls me|I skip breakfast and pay for it",
        "How do I stop snacking?|What is a healthy meal plan?|How do I lose weight slowly?|How do I stop emotional eating?",
    ),
    "lonely": (
        "I have no friends in this city|I have not spoken to anyone all weekend|I moved here and know nobody|nobody called on my birthday|I eat alone every evening|my only company is the radio",
        "the neighbours never greet|my phone stays silent|the weekends are the longest|I talk to the cashier to hear a voice",
        "How do I make friends as an adult?|Where do I meet people?|How do I stop being lonely?|How do I join a group of strangers?",
    ),
    "speech": (
        "I have to give a speech at a wedding|my voice trembles when I present|I must present to the board|I avoid every presentation|I turn red when I speak in public|my talk is on Tuesday and I am terrified",
        "two hundred people will listen|my slides are ready|there will be a microphone|last time I lost my thread",
        "How do I get over stage fright?|How do I practise a speech?|What do I do with my hands on stage?|How do I open a talk?",
    ),
    "phone": (
        "I spend six hours a day on my phone|I can't stop scrolling short videos|social media eats my evenings|I check my phone in every meeting|I deleted the app and installed it again|my screen time is embarrassing",
        "the notifications never stop|my thumb scrolls by itself|I reach for it in the night|the battery is my only limit",
        "How do I cut my screen time?|Which apps should I delete?|How do I do a digital detox?|How do I read books again?",
    ),
}  # fmt: skip
TOPICS = {name: tuple(part.split("|") for part in parts) for name, parts in _TOPICS.items()}


def text_of(topic: str, draw: Random) -> str:
    """One text of a topic."""
    situations, details, asks = TOPICS[topic]
    parts = [draw.choice(situations), draw.choice(details if draw.random() < 0.6 else SHARED)]
    text = f"{draw.choice(LEADS)} {parts[0]}, and {parts[1]}."
    return f"{text} {draw.choice(asks)}" if draw.random() < 0.7 else text


def uneven_sizes(n: int) -> dict[str, int]:
    """How many texts each topic has, of n: falling from about 12 % to about 2 %."""
    weights = [1 / (i + 4) for i in range(len(TOPICS))]
    return {topic: round(n * w / sum(weights)) for topic, w in zip(TOPICS, weights, strict=True)}
