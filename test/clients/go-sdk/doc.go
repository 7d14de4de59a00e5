// Package gosdk runs the official Go client of the Spot API, unmodified, against a running Neap.
//
// It owns the proof that pointing that client here is the whole migration. It is a module of its own, so that the client never becomes a dependency of Neap.
// With NEAP_URL, NEAP_TOKEN and NEAP_ACCOUNT it uses a running server, else it starts the binary NEAP_BIN, or one that it builds.
package gosdk
