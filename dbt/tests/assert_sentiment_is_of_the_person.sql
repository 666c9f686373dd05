-- The bad day: a tone read from a message that the person did not write, which would be lost without a word.
select
    labels.day,
    labels.conversation_key
from {{ ref("stg_detail_labels") }} as labels
left join {{ ref("stg_messages") }} as messages
    on
        labels.day = messages.day
        and labels.conversation_key = messages.conversation_key
        and labels.message_index = messages.message_index
where
    {{ days_of_this_run("labels.day") }}
    and labels.facet = 'sentiment'
    and labels.value is not null
    and messages.role is distinct from 'user'
