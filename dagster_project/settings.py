"""Settings of a home: `confide.toml`, then the environment (`CONFIDE_<SECTION>__<KEY>`), which wins.

Lives here: names, types, defaults and the commented file that `confide init` writes. Not here: what the
privacy thresholds may be (`policy/`), which files exist (`home.py`). Read once, when a run starts.
"""

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from dagster_project.domain.periods import PeriodKind
from dagster_project.errors import ConfideError

ENVIRONMENT = "CONFIDE_"


class SettingsError(ConfideError):
    """Settings that cannot be used; the message names the key, never a secret's value."""


class Section(BaseModel):
    """A section of the file: unknown keys are errors, so that a misspelt safeguard is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassifierSettings(Section):
    """Who labels."""

    kind: Literal["local", "claude"] = "local"


class PriceSettings(Section):
    """A model's price in dollars a million tokens, where the shipped table lacks it or is wrong."""

    input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    batch_factor: float | None = Field(default=None, gt=0, le=1)


class ClaudeSettings(Section):
    """How Claude is asked. Address and key are read by the SDK (ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY)."""

    transport: Literal["batch", "live"] = "batch"
    screen_model: str = "claude-haiku-5-5"
    detail_model: str = "claude-haiku-5-5"
    budget_usd: float | None = Field(default=None, ge=0)
    max_concurrency: int = Field(default=64, ge=1, le=1000)
    requests_per_minute: int = Field(default=4000, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    batch_poll_seconds: float = Field(default=60, gt=0)
    timeout_seconds: float = Field(default=120, gt=0)
    reconcile_seconds: float = Field(default=60, ge=0)
    control_share: float = Field(default=0.01, ge=0, le=0.01)
    max_invalid_share: float = Field(default=0.02, ge=0, le=1)
    prices: dict[str, PriceSettings] = Field(default_factory=dict)


class ScreeningSettings(Section):
    """Whom the screen asks about: everybody, or in two phases, where a cheap score chooses whom to ask.

    two_phase: asked are all whose score is at least `cut`, and of the others a keyed random sample of `sample_rate`.
    """

    mode: Literal["census", "two_phase"] = "census"
    sample_rate: float = Field(default=0.07, ge=0.02, le=1)
    cut: float = Field(default=0.3, gt=0, lt=1)


class LedgerSettings(Section):
    """Where requests and their answers are kept: a SQLite file of the home, or a database shared by several."""

    url: str | None = None
    key_file: Path | None = None


class ReleaseSettings(Section):
    """What is released by default."""

    period: Literal["day", "week", "month"] = "week"

    @property
    def kind(self) -> PeriodKind:
        return PeriodKind(self.period)


class TopicsSettings(Section):
    """How long a version of the topics serves, what it is fitted on, and when a period has drifted away from it; and
    what embeds what people brought. With `http`, text is sent to embedder_url: https, or a server on this machine.
    phrases: with Claude, names are phrases that it makes of shared terms.
    """

    span_days: int = Field(default=56, ge=1, le=366)
    refit_days: int = Field(default=28, ge=1, le=366)
    drift: float = Field(default=0.15, gt=0, le=1)
    embedder: Literal["minilm", "http", "sentence-transformers"] = "minilm"
    embedder_url: str | None = None
    embedder_model: str | None = None
    phrases: bool = True

    @model_validator(mode="after")
    def _embedder_is_named_and_safe(self) -> Self:
        if self.embedder != "minilm" and not self.embedder_model:
            raise ValueError(f'embedder = "{self.embedder}" needs embedder_model')
        if self.embedder == "http":
            if not self.embedder_url:
                raise ValueError('embedder = "http" needs embedder_url, such as https://host/v1')
            if fault := _fault_of_address(self.embedder_url):
                raise ValueError(f"embedder_url {fault}")
        return self


def host_of(address: str) -> str:
    """The host of an address, and its port where it names one; no path and no credentials."""
    parts = urlsplit(address)
    return parts.hostname + (f":{parts.port}" if parts.port else "") if parts.hostname else ""


def _fault_of_address(address: str) -> str | None:
    """Why text may not be sent to an address. Without encryption whoever is on the way reads along."""
    try:
        parts, host = urlsplit(address), host_of(address)
    except ValueError:
        return "is no address"
    if not host or parts.scheme not in ("http", "https"):
        return "is no address of the web: write https://host/v1"
    if parts.username is not None or parts.query or parts.fragment:
        return "may hold host and path alone: give a key as EMBEDDINGS_API_KEY"
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return "must begin with https:// (text would be sent unencrypted), unless the server is on this machine"
    return None


class PolicySettings(Section):
    """Privacy thresholds: a profile, and values that replace its own (never below the hard floor)."""

    profile: Literal["default", "anthropic", "strict"] = "default"
    min_users: int | None = None
    min_conversations: int | None = None
    min_topic_users: int | None = None
    min_topic_conversations: int | None = None
    rounding_base: int | None = None
    max_conversations_per_user: int | None = None

    def overrides(self) -> dict[str, int]:
        """The values that were set."""
        return {k: v for k, v in self.model_dump(exclude={"profile"}).items() if v is not None}


class DifferentialPrivacySettings(Section):
    """Noisy counts of users beside the other tables, and what they may cost: of one period, and of all together."""

    enabled: bool = False
    epsilon: float = Field(default=1.0, gt=0, le=10)
    total_epsilon: float = Field(default=10.0, gt=0, le=100)


class ScheduleSettings(Section):
    """The daily schedule: yesterday's day, at this hour."""

    enabled: bool = False
    release: bool = False
    hour_utc: int = Field(default=3, ge=0, le=23)


class InboxSettings(Section):
    """A folder that is watched, relative to the home: new files are ingested once, and their days are run."""

    enabled: bool = False
    folder: Path = Path("inbox")
    format: str = "auto"


class RetentionSettings(Section):
    """How long conversations are kept: older ones are erased by age, what was published stays."""

    days: int | None = Field(default=None, ge=1)


class TableSettings(Section):
    """Which columns of a Parquet or CSV file are what, for `--format table`.

    Three layouts: `messages` names a column with a list of messages (JSON text in a CSV); `role` and `content` one
    message a row; `human` and `assistant` one exchange a row. Rows of one conversation share its id.
    """

    conversation_id: str | None = None
    user_id: str | None = None
    started_at: str | None = None
    surface: str | None = None
    messages: str | None = None
    role: str | None = None
    content: str | None = None
    human: str | None = None
    assistant: str | None = None
    user_roles: list[str] = ["user", "human"]
    assistant_roles: list[str] = ["assistant", "bot", "ai"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        layouts = [bool(self.messages), bool(self.role or self.content), bool(self.human or self.assistant)]
        if sum(layouts) > 1 or bool(self.role) != bool(self.content) or (self.assistant and not self.human):
            raise ValueError("name messages, or role and content, or human and assistant")
        return self


class SourcesSettings(Section):
    """How input is read where its format leaves that open."""

    table: TableSettings = TableSettings()


class CodebookSettings(Section):
    """Folders with an organisation's own facets, relative to the home; and which optional facets are asked."""

    folders: list[Path] = Field(default_factory=list)
    optional: list[str] = Field(default_factory=list)


class ReportSettings(Section):
    """What the report says beside the numbers."""

    notice: str | None = None
    help_line: str | None = None


class Settings(BaseSettings):
    """All settings of one home."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    classifier: ClassifierSettings = ClassifierSettings()
    claude: ClaudeSettings = ClaudeSettings()
    screening: ScreeningSettings = ScreeningSettings()
    ledger: LedgerSettings = LedgerSettings()
    release: ReleaseSettings = ReleaseSettings()
    topics: TopicsSettings = TopicsSettings()
    policy: PolicySettings = PolicySettings()
    differential_privacy: DifferentialPrivacySettings = DifferentialPrivacySettings()
    schedule: ScheduleSettings = ScheduleSettings()
    inbox: InboxSettings = InboxSettings()
    retention: RetentionSettings = RetentionSettings()
    codebook: CodebookSettings = CodebookSettings()
    report: ReportSettings = ReportSettings()
    sources: SourcesSettings = SourcesSettings()

    @model_validator(mode="after")
    def _can_screen_in_two_phases(self) -> Self:
        if self.screening.mode == "two_phase":
            if self.classifier.kind != "claude":
                raise ValueError(
                    'screening.mode = "two_phase" needs classifier.kind = "claude": the local model is itself the '
                    "cheap score, and asking it about everybody costs nothing"
                )
            if self.differential_privacy.enabled:
                raise ValueError(
                    'screening.mode = "two_phase" and differential_privacy.enabled exclude one another: how many '
                    "users a sample stands for cannot be estimated, with noise or without"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(file: Path) -> Settings:
    """The settings of a file and the environment. Raises SettingsError naming the key at fault."""

    if misspelt := next(filter(_is_misspelt, sorted(os.environ)), None):
        raise SettingsError(f"{misspelt} is not a setting: write CONFIDE_<SECTION>__<KEY>, with a section that exists")

    class OfThisFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return OfThisFile()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        if not where:  # a rule about several settings names them itself
            raise SettingsError(f"{file.name}: {said}") from None
        raise SettingsError(
            f"setting {where}: {said} ({file.name} or CONFIDE_{where.upper().replace('.', '__')})"
        ) from None
    except (ValueError, OSError) as error:
        raise SettingsError(f"{file.name} cannot be read as TOML: {type(error).__name__}") from None


def _is_misspelt(name: str) -> bool:
    """Whether a variable is meant for a setting and would pass unread: one underscore for two, or no such section."""
    if not name.upper().startswith(ENVIRONMENT):
        return False
    section, is_key, _ = name.lower().removeprefix(ENVIRONMENT.lower()).partition("__")
    if is_key:
        return section not in Settings.model_fields
    return any(section.startswith(f"{known}_") for known in Settings.model_fields)


TEMPLATE = """\
# Settings of this Confide home. Every key can also be given as an environment variable:
# CONFIDE_<SECTION>__<KEY>, for instance CONFIDE_RELEASE__PERIOD=month.

[classifier]
kind = "local"            # the embedded model: no key, no network; or "claude"

[claude]                  # read only with kind = "claude"; key and address: ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL
transport = "batch"       # batch: half price, within a day; live: at once
screen_model = "claude-haiku-5-5"
detail_model = "claude-haiku-5-5"
# budget_usd = 20.0       # what may be spent in a calendar month (UTC); asked before and while a run goes
# requests_per_minute = 4000
# max_concurrency = 64
# batch_poll_seconds = 60

[screening]
mode = "census"           # every conversation is asked about; or "two_phase" (claude only, for large logs): all that
                          # the local model finds likely, and a keyed sample of the rest; `confide estimate` has both
# sample_rate = 0.07      # of the rest; more costs more and narrows the intervals; raising it only adds conversations
# cut = 0.3               # the local model's probability of an affective type from which on everybody is asked about

[ledger]                  # what was asked, paid and answered; several homes may share one
# url = "postgresql+psycopg2://…"
# key_file = "…"          # its own key: 32 random bytes, 0600

[release]
period = "week"           # day, week (ISO, Monday) or month

[topics]
# span_days = 56          # topics are found on so many days up to a period's end
# refit_days = 28         # and serve the periods that end within so many days more
# drift = 0.15            # a new version when so much more (share) of a period fits no topic than of the fit
# embedder = "minilm"     # in the package, on this machine; or "sentence-transformers" (an extra), or "http":
# embedder_url = "https://host/v1"   # WHAT PEOPLE WROTE IS SENT THERE to be embedded; key: EMBEDDINGS_API_KEY
# phrases = true          # with kind = "claude": a model joins the shared terms of a name, and may add no word
# embedder_model = "…"    # as server or package know it; another embedder begins new topics

[policy]
profile = "default"       # default: cells of at least 10 users and 15 conversations; or anthropic, strict
# min_users = 10          # single values may be set; below the hard floor the program refuses to start
# max_conversations_per_user = 5

[differential_privacy]    # a table of noisy user counts; needs the extra `dp`
enabled = false
# epsilon = 1.0           # what a period costs; smaller is noisier
# total_epsilon = 10.0    # what all periods may cost, for ever: spent before a release, and never refunded

[schedule]
enabled = false           # true: every day, yesterday is ingested, labelled and counted
hour_utc = 3
release = false           # true: complete periods are released without being asked for

[inbox]                   # a folder that is watched while `confide ui` (or a Dagster daemon) runs
enabled = false           # true: new files are ingested, once each, and the days that they touch are run
# folder = "inbox"        # in the home, or a path; closed to others (0700)
# format = "auto"

[retention]
# days = 365              # conversations older than this are erased, every day; what was published stays

[sources.table]           # the columns of your own Parquet or CSV, read with: confide ingest FILE --format table
# conversation_id = "chat_id"
# user_id = "customer"    # a pseudonym will do; without users nothing can be published
# started_at = "sent_at"  # the earliest of a conversation's rows counts
# messages = "messages"   # a list of messages with role and content (as JSON text in a CSV) …
# role = "speaker"        # … or a message a row: who speaks,
# content = "text"        #   and what is said …
# human = "question"      # … or an exchange a row: what the person says,
# assistant = "answer"    #   and what the assistant answers
# user_roles = ["user", "human"]          # what `role` holds for the person
# assistant_roles = ["assistant", "bot", "ai"]
# delimiter = ","

[codebook]
# folders = ["facets"]    # folders of the home with facets of your own: one YAML file each
# optional = ["dependency", "sycophancy", "reinforced_delusion", "missed_pushback"]   # asked only where named here

[report]
# notice = "Internal"     # a line at the head of the report
# help_line = "…"         # said beside figures that touch self-harm; there is a neutral default
"""
