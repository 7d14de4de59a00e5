package elastigroup

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// group is the part of a group's document that the engine reads. A null member reads as an absent one.
type group struct {
	Name       string     `json:"name"`
	Region     string     `json:"region"`
	Capacity   capacity   `json:"capacity"`
	Strategy   strategy   `json:"strategy"`
	Compute    compute    `json:"compute"`
	Scaling    scaling    `json:"scaling"`
	Scheduling scheduling `json:"scheduling"`
	Parties    parties    `json:"thirdPartiesIntegration"`
}

type capacity struct {
	Target  *count `json:"target"`
	Minimum *count `json:"minimum"`
	Maximum *count `json:"maximum"`
	Unit    string `json:"unit"`
}

type strategy struct {
	Risk                     *count      `json:"risk"`
	OnDemandCount            *count      `json:"onDemandCount"`
	AvailabilityVsCost       string      `json:"availabilityVsCost"`
	FallbackToOD             *bool       `json:"fallbackToOd"`
	ConsiderODPricing        bool        `json:"considerODPricing"`
	UtilizeReservedInstances bool        `json:"utilizeReservedInstances"`
	UtilizeCommitments       bool        `json:"utilizeCommitments"`
	RestrictSingleAZ         bool        `json:"restrictSingleAz"`
	DrainingTimeout          *count      `json:"drainingTimeout"`
	MaxReplacements          *count      `json:"maxReplacementsPercentage"`
	MinimumLifetime          *count      `json:"minimumInstanceLifetime"`
	Persistence              persistence `json:"persistence"`
	RevertToSpot             struct {
		PerformAt   string   `json:"performAt"`
		TimeWindows []string `json:"timeWindows"`
	} `json:"revertToSpot"`
	ScalingStrategy struct {
		TerminationPolicy string `json:"terminationPolicy"`
	} `json:"scalingStrategy"`
}

// persistence is an object that some descriptions of the API show inside a list.
type persistence struct {
	IsGiven      bool
	PrivateIP    bool
	RootDevice   bool
	BlockDevices bool
}

// UnmarshalJSON reads the object, or a list of them whose flags add up.
func (p *persistence) UnmarshalJSON(text []byte) error {
	type flags struct {
		PrivateIP    bool `json:"shouldPersistPrivateIp"`
		RootDevice   bool `json:"shouldPersistRootDevice"`
		BlockDevices bool `json:"shouldPersistBlockDevices"`
	}
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	if !bytes.HasPrefix(text, []byte("[")) {
		text = append(append([]byte("["), text...), ']')
	}
	var list []flags
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, one := range list {
		p.IsGiven = true
		p.PrivateIP = p.PrivateIP || one.PrivateIP
		p.RootDevice = p.RootDevice || one.RootDevice
		p.BlockDevices = p.BlockDevices || one.BlockDevices
	}
	return nil
}

func (p persistence) isOn() bool { return p.PrivateIP || p.RootDevice || p.BlockDevices }

type compute struct {
	Product                    string              `json:"product"`
	InstanceTypes              instanceTypes       `json:"instanceTypes"`
	SubnetIDs                  []string            `json:"subnetIds"`
	AvailabilityZones          []zone              `json:"availabilityZones"`
	PreferredAvailabilityZones []string            `json:"preferredAvailabilityZones"`
	Launch                     launchSpecification `json:"launchSpecification"`
}

type zone struct {
	Name      string   `json:"name"`
	SubnetIDs []string `json:"subnetIds"`
	SubnetID  string   `json:"subnetId"`
}

type instanceTypes struct {
	OnDemand      string        `json:"ondemand"`
	OnDemandTypes []string      `json:"onDemandTypes"`
	Spot          []string      `json:"spot"`
	PreferredSpot []string      `json:"preferredSpot"`
	Requirements  *requirements `json:"resourceRequirements"`
	Weights       []struct {
		InstanceType string `json:"instanceType"`
		Weight       count  `json:"weightedCapacity"`
	} `json:"weights"`
}

type requirements struct {
	GPU                 *span    `json:"requiredGpu"`
	VCPU                span     `json:"requiredVCpu"`
	Memory              span     `json:"requiredMemory"` // GiB
	ExcludedTypes       []string `json:"excludedInstanceTypes"`
	ExcludedFamilies    []string `json:"excludedInstanceFamilies"`
	ExcludedGenerations []string `json:"excludedInstanceGenerations"`
}

type span struct {
	Minimum *count `json:"minimum"`
	Maximum *count `json:"maximum"`
}

type launchSpecification struct {
	HealthCheckType  string   `json:"healthCheckType"`
	HealthCheckGrace *count   `json:"healthCheckGracePeriod"`
	UnhealthyFor     *count   `json:"healthCheckUnhealthyDurationBeforeReplacement"`
	AutoHealing      *bool    `json:"autoHealing"`
	SecurityGroupIDs []string `json:"securityGroupIds"`
	Monitoring       bool     `json:"monitoring"`
	EBSOptimized     bool     `json:"ebsOptimized"`
	ImageID          string   `json:"imageId"`
	Images           []struct {
		ID string `json:"id"`
	} `json:"images"`
	KeyPair string `json:"keyPair"`
	Role    struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	} `json:"iamRole"`
	UserData          string `json:"userData"`
	ShutdownScript    string `json:"shutdownScript"`
	Tenancy           string `json:"tenancy"`
	NetworkInterfaces []struct {
		DeviceIndex count `json:"deviceIndex"`
		PublicIP    *bool `json:"associatePublicIpAddress"`
	} `json:"networkInterfaces"`
	Tags []struct {
		Key   string `json:"tagKey"`
		Value string `json:"tagValue"`
	} `json:"tags"`
}

type scaling struct {
	Up   []policy `json:"up"`
	Down []policy `json:"down"`
}

type policy struct {
	Threshold *float64          `json:"threshold"`
	Action    json.RawMessage   `json:"action"`
	Steps     []json.RawMessage `json:"stepAdjustments"`
}

type scheduling struct {
	Tasks []struct {
		CronExpression string `json:"cronExpression"`
		Frequency      string `json:"frequency"`
	} `json:"tasks"`
}

// parties are the container schedulers that may size the group themselves.
type parties struct {
	Kubernetes  scheduler `json:"kubernetes"`
	ECS         scheduler `json:"ecs"`
	Nomad       scheduler `json:"nomad"`
	DockerSwarm scheduler `json:"dockerSwarm"`
}

type scheduler struct {
	AutoScale *struct {
		IsEnabled *bool `json:"isEnabled"`
	} `json:"autoScale"`
}

func (s scheduler) sizesGroup() bool {
	return s.AutoScale != nil && (s.AutoScale.IsEnabled == nil || *s.AutoScale.IsEnabled)
}

// count is a whole number as JSON writes it (3 and 3.0 are the same). Beyond a billion it sticks there, where every rule refuses it.
type count int

const countLimit = 1_000_000_000

// UnmarshalJSON reads any JSON number.
func (c *count) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !math.IsInf(number, 0) {
		return &json.UnmarshalTypeError{Value: "text", Type: nil}
	}
	*c = count(math.Max(-countLimit, math.Min(countLimit, number)))
	return nil
}

// or is the number, or the standard value when it was left out.
func (c *count) or(standard int) int {
	if c == nil {
		return standard
	}
	return int(*c)
}

// number is the value as the engine's rooms take it; nil when it was left out.
func (c *count) number() *int {
	if c == nil {
		return nil
	}
	number := int(*c)
	return &number
}
