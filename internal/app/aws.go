package app

import "github.com/neap-cloud/neap/internal/cloud/aws/setup"

// AWSSetup is what an account of AWS is to be set up with; see setup.Config.
type AWSSetup struct {
	Format      string
	Regions     []string
	Principal   string
	ExternalID  string
	Role        string
	Queue       string
	ReadOnly    bool
	AnyInstance bool
}

// AWSInit writes the template for an account of AWS, without calling it.
func AWSInit(c AWSSetup) (string, error) { return setup.Write(setup.Config(c)) }
