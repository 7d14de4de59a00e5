module github.com/neap-cloud/neap/test/clients/go-sdk

go 1.26.0

require github.com/spotinst/spotinst-sdk-go v1.415.0

require gopkg.in/ini.v1 v1.67.0 // indirect
