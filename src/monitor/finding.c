/* monitor/finding.c - see finding.h. */
#include "monitor/finding.h"

#include <stddef.h>

const char *const finding_level_words[] = { "info", "warning", "error", NULL };

const char *const doctor_check_words[] = { "addresses", "ports",        "multicast", "interfaces",
                                           "https",     "data",         "clock",     "programs",
                                           "devices",   "destinations", NULL };

/* clang-format off */
const FindingKind finding_kinds[FINDING_MAX_] = {
    [FINDING_COULD_NOT_LOOK] = {
        "could-not-look", FINDING_WARNING,
        "Something could not be looked at. That says nothing about it.",
        "Look at what the finding says was in the way, then run the doctor again." },

    [FINDING_UDP_PORT_NOT_HELD] = {
        "udp-port-not-held", FINDING_ERROR,
        "The server does not listen on its UDP port (2968): no panel shows its name.",
        "Stop the program that holds the port (as root: ss -ulpn), then start platend again." },
    [FINDING_UDP_PORT_SHARED] = {
        "udp-port-shared", FINDING_ERROR,
        "Another program of this computer listens on the same UDP port: devices hear both, and panels show one of "
        "the two.",
        "Stop the other program; ss -ulpn, as root, names it." },
    [FINDING_TCP_PORT_NOT_HELD] = {
        "tcp-port-not-held", FINDING_ERROR,
        "The server does not listen on its TCP port (2968): Start at a panel is answered by an error.",
        "Stop the program that holds the port (as root: ss -tlpn), then start platend again." },

    [FINDING_ADDRESS_LOOPBACK_ONLY] = {
        "address-loopback-only", FINDING_ERROR,
        "The server has only an address that other computers and devices cannot reach.",
        "Set device_address in [devices] to 0.0.0.0, and connect this computer to the network of the devices." },
    [FINDING_ADDRESS_GONE] = {
        "address-gone", FINDING_ERROR,
        "This computer does not have the address that is set as device_address any more.",
        "Give the address back to this computer, or set device_address in [devices] to 0.0.0.0 and start platend "
        "again." },
    [FINDING_ADDRESS_LINK_LOCAL] = {
        "address-link-local", FINDING_WARNING,
        "An interface has only an address of 169.254.0.0/16, which a computer takes when nobody gives it one.",
        "Look at cable and DHCP server of WHERE, or give it a fixed address." },
    [FINDING_ADDRESS_NO_IPV4] = {
        "address-no-ipv4", FINDING_WARNING,
        "This computer has addresses of IPv6 only. Devices register over IPv4: panels do not show the server's name; "
        "scans that are started here work.",
        "Give this computer an address of IPv4; if it is to have none, set device_address in [devices] to ::" },
    [FINDING_REGISTRATION_NEEDS_IPV4] = {
        "registration-needs-ipv4", FINDING_INFO,
        "The server listens at IPv6 only. Devices register over IPv4: panels do not show the server's name; scans "
        "that are started here work.",
        "Nothing, when that is meant; else set device_address in [devices] to 0.0.0.0, ::" },

    [FINDING_MULTICAST_NOT_JOINED] = {
        "multicast-not-joined", FINDING_ERROR,
        "The group 239.255.255.253, to which devices announce themselves, is not joined on an interface.",
        "Wait half a minute (interfaces_check_s), in which the server tries again; if that does not help, start platend again." },
    [FINDING_MULTICAST_NOWHERE] = {
        "multicast-nowhere", FINDING_ERROR,
        "No interface of this computer takes part in multicast, so devices are not heard.",
        "ip link set IFACE multicast on, or tell devices the server's address by hand." },
    [FINDING_MULTICAST_DEAF] = {
        "multicast-deaf", FINDING_WARNING,
        "With one device_address the server hears only what devices send to that address, no multicast.",
        "Set device_address in [devices] to 0.0.0.0, or tell devices the server's address by hand." },
    [FINDING_MULTICAST_OFF] = {
        "multicast-off", FINDING_WARNING,
        "No device is heard, and multicast is switched off.",
        "Set multicast = true in [devices], or tell devices the server's address by hand." },

    [FINDING_INTERFACE_MISSING] = {
        "interface-missing", FINDING_ERROR,
        "An interface that is to show a name on panels does not exist.",
        "Make WHERE again (docs/panels.md), or take it out of interfaces in [devices]." },
    [FINDING_INTERFACE_DOWN] = {
        "interface-down", FINDING_ERROR,
        "An interface that is to show a name on panels is down.",
        "ip link set WHERE up" },
    [FINDING_INTERFACE_NO_ADDRESS] = {
        "interface-no-address", FINDING_ERROR,
        "An interface that is to show a name on panels has no IPv4 address, so no panel gets its answer.",
        "ip addr add ADDRESS/PREFIX dev WHERE" },
    [FINDING_INTERFACE_NO_MULTICAST] = {
        "interface-no-multicast", FINDING_ERROR,
        "An interface that is to show a name on panels takes no part in multicast.",
        "ip link set WHERE multicast on" },
    [FINDING_INTERFACE_ARP_IGNORE] = {
        "interface-arp-ignore", FINDING_WARNING,
        "An interface with a name for panels shares a network with another one and answers ARP for its addresses: "
        "panels see one Ethernet address, and show one name.",
        "sysctl -w net/ipv4/conf/WHERE/arp_ignore=1, and the same in a file of /etc/sysctl.d" },
    [FINDING_INTERFACE_ARP_ANNOUNCE] = {
        "interface-arp-announce", FINDING_WARNING,
        "An interface with a name for panels shares a network with another one and asks by ARP with its addresses.",
        "sysctl -w net/ipv4/conf/WHERE/arp_announce=2, and the same in a file of /etc/sysctl.d" },
    [FINDING_INTERFACE_RP_FILTER] = {
        "interface-rp-filter", FINDING_WARNING,
        "An interface with a name for panels shares a network with another one, and the kernel drops what comes in "
        "on it and would be answered through the other.",
        "sysctl -w net/ipv4/conf/WHERE/rp_filter=2, and the same in a file of /etc/sysctl.d" },

    [FINDING_CERTIFICATE_UNREADABLE] = {
        "certificate-unreadable", FINDING_ERROR,
        "The file of the HTTPS certificate cannot be read, or holds none: the next start fails.",
        "Put a PEM file there that the user of the server can read." },
    [FINDING_CERTIFICATE_KEY_UNREADABLE] = {
        "certificate-key-unreadable", FINDING_ERROR,
        "The file of the certificate's key cannot be read: the next start fails.",
        "Put the key there, readable for the user of the server and nobody else." },
    [FINDING_CERTIFICATE_EXPIRED] = {
        "certificate-expired", FINDING_ERROR,
        "The certificate of HTTPS has expired: browsers and programs refuse the server.",
        "Put a new one in its place, then start platend again. One that platend made is made anew when "
        "tls-certificate.pem and tls-key.pem are removed." },
    [FINDING_CERTIFICATE_EXPIRES_SOON] = {
        "certificate-expires-soon", FINDING_WARNING,
        "The certificate of HTTPS expires within 30 days.",
        "Put a new one in its place, then start platend again." },
    [FINDING_CERTIFICATE_NOT_YET_VALID] = {
        "certificate-not-yet-valid", FINDING_ERROR,
        "The certificate of HTTPS is valid from a later time on.",
        "Look at the clock of this computer first, then at the certificate." },
    [FINDING_CERTIFICATE_NOT_IN_USE] = {
        "certificate-not-in-use", FINDING_WARNING,
        "The file of the certificate was changed; the server still shows the one of its start.",
        "Start platend again." },

    [FINDING_DISK_FULL] = {
        "disk-full", FINDING_ERROR,
        "Less space is left than free_space_mib, and 64 MiB for each scan that runs or begins: scans are refused.",
        "Make room on the disk of the data folder, or keep batches for fewer days (keep_files_days)." },
    [FINDING_DISK_LOW] = {
        "disk-low", FINDING_WARNING,
        "Less than four times the space is left below which scans are refused (free_space_mib, and 64 MiB for each scan).",
        "Make room on the disk of the data folder, or keep batches for fewer days (keep_files_days)." },
    [FINDING_DATA_NOT_WRITABLE] = {
        "data-not-writable", FINDING_ERROR,
        "The server cannot write in its data folder.",
        "Look at rights, mount options and disk of the folder; it belongs to the user of the server." },
    [FINDING_DATA_VOLATILE] = {
        "data-volatile", FINDING_ERROR,
        "The data folder is in memory: everything is lost when the computer stops.",
        "Set data_dir in [server] to a folder on a disk." },
    [FINDING_DATA_REMOTE] = {
        "data-remote", FINDING_ERROR,
        "The data folder is on another computer: the database needs locks and shared memory that such file systems "
        "do not have.",
        "Set data_dir in [server] to a folder on a local disk; destinations may be remote." },
    [FINDING_DATA_WITHOUT_RIGHTS] = {
        "data-without-rights", FINDING_WARNING,
        "The file system of the data folder keeps no owners and rights, and may lose a rename when power fails.",
        "Set data_dir in [server] to a folder on ext4, XFS or btrfs." },
    [FINDING_DATA_IN_CONTAINER] = {
        "data-in-container", FINDING_WARNING,
        "The data folder is in the writable layer of a container, and goes when the container is removed.",
        "Give the container a volume for data_dir." },
    [FINDING_DATA_NOT_SYNCED] = {
        "data-not-synced", FINDING_ERROR,
        "The data folder is mounted so that what is synced need not be on disk: pages that devices were told are "
        "safe can be lost when power fails.",
        "Mount it without nobarrier, barrier=0 or volatile." },
    [FINDING_KEY_MISSING] = {
        "key-missing", FINDING_ERROR,
        "master.key is gone: the running server still has the keys, the next start has not, and every secret must be "
        "entered again.",
        "Restore master.key from its copy before the server is stopped." },
    [FINDING_KEY_READABLE] = {
        "key-readable", FINDING_ERROR,
        "Others can read master.key, which opens every secret of the database: the next start refuses it.",
        "chmod 400 WHERE, then platen rotate-key, since others may have read it" },
    [FINDING_KEY_OWNER] = {
        "key-owner", FINDING_ERROR,
        "master.key belongs to another user, who can read and replace it.",
        "Give WHERE to the user of the server: chown USER WHERE" },

    [FINDING_CLOCK_BEFORE_BUILD] = {
        "clock-before-build", FINDING_ERROR,
        "The clock shows a time before this program was built.",
        "Set the clock and switch a time service on: timedatectl set-ntp true" },
    [FINDING_CLOCK_BEHIND_RECORDS] = {
        "clock-behind-records", FINDING_ERROR,
        "The newest event is more than an hour in the future: the clock was set back, or was ahead.",
        "Set the clock and switch a time service on: timedatectl set-ntp true" },

    [FINDING_PROGRAM_MISSING] = {
        "program-missing", FINDING_ERROR,
        "A program that the server needs for its jobs or destinations cannot be run.",
        "Install the package it belongs to, or set libexec_dir in [server] to its folder." },

    [FINDING_DEVICE_WAITING] = {
        "device-waiting", FINDING_WARNING,
        "A device waits for approval: until then nobody can scan at it.",
        "platen device approve WHERE, if it is yours; else platen device delete WHERE" },
    [FINDING_DEVICE_ANOTHER] = {
        "device-another", FINDING_ERROR,
        "Another device answers at the address of an approved one, which waits for approval again: nobody can scan there.",
        "The other one takes its place: platen device delete WHERE, wait until it is in the list, approve it. The former "
        "one is back: platen device approve WHERE" },
    [FINDING_DEVICE_SILENT] = {
        "device-silent", FINDING_WARNING,
        "An approved device takes connections but is not heard: its panel may have lost the server's name.",
        "Let UDP 2968 and multicast from the device to this computer through firewalls and switches; scans started "
        "from here work meanwhile." },
    [FINDING_DEVICE_OFFLINE] = {
        "device-offline", FINDING_WARNING,
        "An approved device cannot be reached.",
        "See whether it is on and has another address, and whether TCP 1865 to it is open." },
    [FINDING_DEVICE_CERTIFICATE] = {
        "device-certificate-changed", FINDING_ERROR,
        "A device has shown another certificate than the one that is trusted: it was not scanned from.",
        "See that it is your device (reset, new firmware?), then: platen device trust WHERE" },
    [FINDING_DEVICE_DOWNGRADED] = {
        "device-tls-downgraded", FINDING_ERROR,
        "A device that spoke modern TLS speaks only an older one now: it was not scanned from.",
        "See that it is your device (old firmware?) and nobody is in between, then: platen device trust WHERE" },
    [FINDING_DEVICE_TLS_LOST] = {
        "device-tls-lost", FINDING_ERROR,
        "A device that spoke TLS does not any more: it was not scanned from.",
        "See that it is your device (settings, firmware?) and nobody is in between; only if you are sure that it has "
        "no TLS now: platen device set WHERE --transport plain" },
    [FINDING_DEVICE_WITHOUT_JOBS] = {
        "device-without-jobs", FINDING_WARNING,
        "An approved device has no job group, or one without jobs: Start is refused.",
        "platen device set WHERE --job-group GROUP" },
    [FINDING_DEVICE_JOBS_BY] = {
        "device-jobs-by", FINDING_WARNING,
        "The panel of a device chooses jobs in another way than is set, or cannot start all jobs of "
        "its group.",
        "See jobs_by_notes in: platen device show WHERE" },
    [FINDING_DEVICE_PAIRING] = {
        "device-pairing-lost", FINDING_ERROR,
        "The button of a scanner without a panel calls another host than this server.",
        "platen device pair WHERE; with --replace it is taken from another host." },

    [FINDING_DEVICE_WARNS] = {
        "device-warns", FINDING_INFO,
        "At its last scan a device warned of something that does not stop scans.",
        "See warnings in: platen device show WHERE" },
    [FINDING_DEVICE_QUIRKS] = {
        "device-quirks", FINDING_INFO,
        "Rows of quirks are about a device: the server does otherwise than the device says.",
        "Nothing, when it scans well; else look at quirks in: platen device show WHERE" },

    [FINDING_DESTINATION_STOPPED] = {
        "destination-stopped", FINDING_ERROR,
        "A destination is stopped: its deliveries are held.",
        "Mend it, then: platen destination resume WHERE" },
    [FINDING_DESTINATION_FAILING] = {
        "destination-failing", FINDING_WARNING,
        "Deliveries to a destination do not get through; they are tried again.",
        "Try it: platen destination test WHERE" },
    [FINDING_DESTINATION_STUCK] = {
        "destination-stuck", FINDING_ERROR,
        "Deliveries to a destination wait for a person.",
        "platen delivery list --destination WHERE shows them; then retry, confirm or drop each" },
};
/* clang-format on */
