// Package catalog holds the embedded facts of the clouds: instance types, list prices, interruption classes, regions and zones.
//
// It owns the data set and its look-ups. It must not know live prices or any account. Where the figures come from is told in
// PROVENANCE.md and by Sources. Start reading at AWS and Azure.
package catalog

import (
	_ "embed"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/neap-cloud/neap/internal/money"
)

//go:generate go run ./generate -cloud aws -o aws.txt.gz $NEAP_CATALOG_DIR
//go:generate go run ./generate -cloud azure -o azure.txt.gz $NEAP_CATALOG_DIR

//go:embed aws.txt.gz
var awsPacked []byte

//go:embed azure.txt.gz
var azurePacked []byte

// The products that instances are sold with, in the vendor's spelling.
const (
	Linux   = "Linux/UNIX"
	Windows = "Windows"
	SUSE    = "SUSE Linux"
	RHEL    = "Red Hat Enterprise Linux"
)

// Products lists every product, Linux first.
func Products() []string { return []string{Linux, Windows, SUSE, RHEL} }

// Type is one instance type.
type Type struct {
	Name         string
	Family       string
	VCPUs        int
	MemoryMiB    int
	Arch         string // "x86_64", "arm64"
	GPUs         int    // a share of one counts as one
	Generation   int    // the digit in the family name
	Current      bool   // the vendor's own flag
	BareMetal    bool
	Burstable    bool
	LocalNVMeGiB int
	NetworkGbps  float64 // peak; 0 = unknown
	MaxPods      int     // 0 = unknown
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

// Cloud is the catalogue of one cloud. Safe for concurrent use; the slices it returns are shared and must not be changed.
type Cloud struct {
	now atomic.Pointer[facts] // replaced as a whole by Amend, never changed
}

// facts are a catalogue at one moment.
type facts struct {
	edition int
	base    *facts // as embedded; nil = these are
	sources map[string]Source
	vendors map[string]string // by region
	regions []string
	zones   map[string][]string
	types   map[string]Type
	offers  map[shelf]func() []Offer // decoded rows become offers when a region is first asked for
}

// shelf is what one list of offers is for.
type shelf struct{ region, product string }

// The clouds that there is a catalogue of.
const (
	VendorAWS   = "aws"
	VendorAzure = "azure"
)

// AWS decodes the embedded AWS catalogue once. It is everybody's: whoever wants to amend it takes a Copy. It panics when the embedded data are broken, which the tests rule out.
func AWS() *Cloud { return decodeAWS() }

// Azure is the same for Azure's usual sizes, on Linux only. No source tells its zones and how often its spot machines are evicted: each region has one zone here,
// and every Interruption is -1.
func Azure() *Cloud { return decodeAzure() }

var (
	decodeAWS   = sync.OnceValue(func() *Cloud { return embedded(VendorAWS, awsPacked) })
	decodeAzure = sync.OnceValue(func() *Cloud { return embedded(VendorAzure, azurePacked) })
)

func embedded(vendor string, packed []byte) *Cloud {
	facts, err := decode(vendor, packed)
	if err != nil {
		panic(fmt.Sprintf("the embedded catalogue of %s is broken: %v", vendor, err))
	}
	return hold(facts)
}

// Vendor says whose region it is: VendorAWS, VendorAzure, or "" when it is unknown.
func (c *Cloud) Vendor(region string) string { return c.now.Load().vendors[region] }

// Regions lists the regions, sorted.
func (c *Cloud) Regions() []string { return c.now.Load().regions }

// Zones lists a region's zones, sorted; none for an unknown region.
func (c *Cloud) Zones(region string) []string { return c.now.Load().zones[region] }

// HasType finds an instance type that is sold in at least one region.
func (c *Cloud) HasType(name string) (Type, bool) {
	found, ok := c.now.Load().types[name]
	return found, ok
}

// Offers are the types sold in a region for a product ("Linux/UNIX", "Windows", "SUSE Linux", "Red Hat Enterprise Linux"), by type name.
func (c *Cloud) Offers(region, product string) []Offer {
	offers, ok := c.now.Load().offers[shelf{region, product}]
	if !ok {
		return nil
	}
	return offers()
}

// Offer finds one type in a region for a product.
func (c *Cloud) Offer(region, product, name string) (Offer, bool) {
	offers := c.Offers(region, product)
	at, found := sort.Find(len(offers), func(i int) int {
		switch {
		case name < offers[i].Type.Name:
			return -1
		case name > offers[i].Type.Name:
			return 1
		}
		return 0
	})
	if !found {
		return Offer{}, false
	}
	return offers[at], true
}

// Sells reports whether the offer can be had in the zone.
func (o Offer) Sells(zone string) bool { return slices.Contains(o.Zones, zone) }

// PricesFrom says where the prices come from and the newest day they are known to hold for.
func (c *Cloud) PricesFrom() Source { return c.now.Load().sources["prices"] }

// Sources says where each table comes from: "prices", "interruption", "types", "zones".
func (c *Cloud) Sources() map[string]Source { return c.now.Load().sources }
