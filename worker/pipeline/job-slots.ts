import type { Console } from "../console/console.ts";
import { slot } from "./slot.ts";

/** The values that strategies of one kind leave for those of another: deploy for boot, boot for test. */

/** A downloaded image of `deploy: images`. */
export interface DeployedImage {
  readonly label: string;
  readonly path: string;
  /** `image_arg` with its placeholder still in it; undefined when the job gives none. */
  readonly imageArg: string | undefined;
}

/** Images by label, in the job's order. */
export const imagesSlot = slot<ReadonlyMap<string, DeployedImage>>("images");

/** The downloaded firmware of `deploy: uefi`; the emulator looks for it by its name in its folder. */
export const uefiSlot = slot<string>("uefi");

/** A drive that brings the overlay to a QEMU guest, and what to type there to mount it. */
export interface GuestDrive {
  readonly path: string;
  readonly format: "raw" | "qcow2";
  readonly uuid: string;
  readonly interface: string;
  readonly driveId: string;
  /** Typed on the DUT before the test shell starts. */
  readonly mountCommands: readonly string[];
}
export const guestDriveSlot = slot<GuestDrive>("guest-drive");

/** One entry of `test: definitions`, fetched and put into the overlay. */
export interface OverlayDefinition {
  /** `<idx>_<name>`: the suite and the TESTRUN_ID. */
  readonly testrunId: string;
  /** `<job>_<level of the action that fetched it>`. */
  readonly uuid: string;
  readonly from: string;
  /** URL, or for `inline` the definition itself. */
  readonly repository: unknown;
  readonly path: string;
  readonly revision: string | undefined;
  readonly commitId: string | undefined;
  readonly pattern: string | undefined;
  readonly fixupdict: Readonly<Record<string, string>> | undefined;
  /** Cases that must report; from the job's entry, else from the definition. */
  readonly expected: readonly string[] | undefined;
}

/** The test-shell overlay of a namespace, as it will be on the DUT. */
export interface Overlay {
  /** `$L` on the DUT, for example `/lava-42`. */
  readonly lavaDir: string;
  /** Path of the shell that runs the tests; what `SHELL` must be on the DUT. */
  readonly shell: string;
  /** File of the login shell for exported variables; undefined where the system has none. */
  readonly shellFile?: string | undefined;
  /** Folder on the worker that stands for `/` of the DUT: `$L` in it, and what else belongs to the overlay (ssh keys). */
  readonly root: string;
  /** Folder on the worker whose content is `$L`'s; inside `root`. */
  readonly sourceDir: string;
  /** By stage, the definitions in the order they run. */
  readonly stages: readonly (readonly OverlayDefinition[])[];
}
export const overlaySlot = slot<Overlay>("overlay");

/** `lava-<id>/…` as a gzip-compressed tar archive (`compress-overlay`). */
export const overlayTarballSlot = slot<string>("overlay-tarball");

/** The DUT's console, open. */
export const consoleSlot = slot<Console>("console");

/** Regular expressions of the prompt that is expected now. */
export const promptsSlot = slot<readonly string[]>("prompts");

/**
 * What a bootloader's commands may name in braces (DISPATCHER.md 10.4), without the braces. Deploy fills in what it
 * knows, `bootloader-overlay` completes it. An empty text is known to be nothing: a command that names it is dropped.
 */
export const placeholdersSlot = slot<Readonly<Record<string, string>>>("placeholders");

/** How a deployed kernel is to be started by U-Boot (DISPATCHER.md 10.4, "bootX"). */
export interface BootKind {
  /** `type` of the deployed kernel; undefined when the job says none. */
  readonly kernelType: "image" | "uimage" | "zimage" | undefined;
  /** Undefined when the job says no type: then there are no addresses either. */
  readonly bootCommand: "booti" | "bootm" | "bootz" | undefined;
}
export const bootKindSlot = slot<BootKind>("boot-kind");

/** Stop the services that `test: services` has started, for the command `stop_test_services`. */
export const stopServicesSlot = slot<readonly (() => Promise<void>)[]>("stop-services");

/** The container image that is the DUT (`deploy: to: docker`), pulled. */
export interface DockerImage {
  readonly image: string;
  /** Of the container, when the job names it. */
  readonly name: string | undefined;
  readonly network: string | undefined;
}
export const dockerImageSlot = slot<DockerImage>("docker-image");

/** Folder of an unpacked Qualcomm flash package (deploy `qdl`). */
export const qcomflashSlot = slot<string>("qcomflash");

/** What this deployment offers by TFTP: a folder of the worker, and its name for the DUT (depthcharge, iPXE scripts). */
export interface TftpFiles {
  readonly folder: string;
  readonly tftpPath: string;
}
export const tftpFilesSlot = slot<TftpFiles>("tftp-files");

/** An installation of a system from a disc image, prepared by `deploy: to: iso-installer`. */
export interface Installer {
  /** The disk that it goes to: a raw image, empty at first. */
  readonly disk: string;
  /** Out of the disc image. */
  readonly kernel: string;
  readonly initrd: string;
  /** The answers to the installer's questions. */
  readonly preseed: string;
}
export const installerSlot = slot<Installer>("installer");
