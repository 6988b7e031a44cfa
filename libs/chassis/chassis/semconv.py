"""Names of span attributes: OpenTelemetry semantic conventions 1.44; 1.45 renames those marked with a star."""

SYSTEM = "messaging.system"  # *
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
GROUP = "messaging.consumer.group.name"
MESSAGE_ID = "messaging.message.id"
CONVERSATION_ID = "messaging.message.conversation_id"
BODY_SIZE = "messaging.message.body.size"
OFFSET = "messaging.kafka.offset"  # *
ERROR_TYPE = "error.type"

EVENT_SOURCE = "cloudevents.event_source"
EVENT_TYPE = "cloudevents.event_type"
EVENT_SUBJECT = "cloudevents.event_subject"
