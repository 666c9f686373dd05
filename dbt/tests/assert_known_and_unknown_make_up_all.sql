-- The bad day: a conversation that is neither content creation nor known not to be nor unknown, or two of them.
select
    day,
    conversation_key
from {{ ref("int_conversations") }}
where
    {{ days_of_this_run() }}
    and (
        (is_content_creation and (is_not_content_creation or is_unknown))
        or is_asked <> (is_content_creation or is_not_content_creation or is_unknown)
        or (is_affective and (is_content_creation or not is_not_content_creation or is_unknown))
        or (is_analysed and not is_affective)
        or (pushback_is_known and not is_analysed)
    )
