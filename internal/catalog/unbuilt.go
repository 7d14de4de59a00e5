// Package catalog holds the embedded facts of the clouds: instance types, list prices, interruption classes, regions and zones.
//
// It owns the data set and its look-ups. It must not know live prices or any account. Start reading at AWS.
package catalog

import "github.com/neap-cloud/neap/internal/money"

// Cloud is the catalogue of one cloud. Read-only and safe for concurrent use.
type Cloud struct{}

// AWS decodes the embedded AWS catalogue once.
func AWS() *Cloud { panic("unbuilt") }

// Type is one instance type.
type Type struct {
	Name         string
	Family       string
	VCPUs        int
	MemoryMiB    int
	Arch         string // "x86_64", "arm64"
	GPUs         int
	Generation   int  // the digit in the family name
	Current      bool // the vendor's own flag
	BareMetal    bool
	Burstable    bool
	LocalNVMeGiB int
	NetworkGbps  float64
	MaxPods      int
}

// Offer is a type in a region.
type Offer struct {
	Type     Type
	Zones    []string // "us-east-1a", sorted
	OnDemand money.Price
	Spot     money.Price // regional average when the data were taken; 0 = not sold on spot
	// Interruption is the vendor's class for the trailing month: 0 <5 %, 1 5–10, 2 10–15, 3 15–20, 4 >20; -1 unknown.
	Interruption int
}

// Source says where and when a figure comes from.
type Source struct{ Name, AsOf string }

func (c *Cloud) Regions() []string                { panic("unbuilt") }
func (c *Cloud) Zones(region string) []string     { panic("unbuilt") }
func (c *Cloud) HasType(name string) (Type, bool) { panic("unbuilt") }

// Offers are the types sold in a region for a product ("Linux/UNIX", "Windows", "SUSE Linux", "Red Hat Enterprise Linux"), by type name.
func (c *Cloud) Offers(region, product string) []Offer            { panic("unbuilt") }
func (c *Cloud) Offer(region, product, name string) (Offer, bool) { panic("unbuilt") }
func (c *Cloud) PricesFrom() Source                               { panic("unbuilt") }
