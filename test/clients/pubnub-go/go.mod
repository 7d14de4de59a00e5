module github.com/neap-cloud/neap/test/clients/pubnub-go

go 1.26.0

require github.com/pubnub/go v4.10.0+incompatible

require (
	github.com/brianolson/cbor_go v1.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
