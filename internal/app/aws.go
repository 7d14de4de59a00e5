package app

import "github.com/neap-cloud/neap/internal/cloud/aws/setup"

// AWSSetup is what an account of AWS is to be set up with.
type AWSSetup = setup.Config

// AWSInit writes the template for an account of AWS, without calling it.
func AWSInit(c AWSSetup) (string, error) { return setup.Write(c) }
