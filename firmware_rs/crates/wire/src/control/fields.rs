//! Fields of messages: read with their bounds.
