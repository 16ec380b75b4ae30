//! JSON for messages: strict to RFC 8259, bounded, without allocation or recursion.
