// Package pubnubgo runs PubNub's official Go client, unmodified, against a running Neap.
//
// It owns the proof that the keys of an account's channels work with that client once its origin is set. It is a module of its own, so that the client never becomes a
// dependency of Neap. It starts the binary NEAP_BIN, or one that it builds, because it also ends and starts it again.
package pubnubgo
