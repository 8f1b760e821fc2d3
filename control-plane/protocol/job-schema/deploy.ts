import * as v from "valibot";
import {
  anyMapping,
  flag,
  listOf,
  mapOf,
  mapWith,
  may,
  nonEmptyText,
  oneOf,
  text,
} from "#protocol/schema-parts.ts";
import { overlayBackend, type Blocks } from "./blocks.ts";
import { anyOf, has } from "./choices.ts";
import { notBoth } from "./not-both.ts";
import { atLeast, dockerImage, texts, textOr, wholeNumber } from "./values.ts";

type Entries = Record<string, v.GenericSchema>;

/** JOB.md 5: every deploy method by the word of its `to`. */
export function deploySchemas(blocks: Blocks): Record<string, v.GenericSchema> {
  const { mapping } = blocks;
  const deploy = (own: Entries) =>
    mapping({
      to: text,
      ...own,
      ...may({ os: text, authorize: oneOf("ssh"), overlay_backend: overlayBackend }),
      ...blocks.common,
    });
  return {
    ...imageDeploys(blocks, deploy),
    ...netbootDeploys(blocks, deploy),
    ...flashDeploys(blocks, deploy),
    ...mediaDeploys(blocks, deploy),
    docker: deploy({ image: textOr(blocks.dockerByName, dockerImage) }),
    overlay: deploy({}),
  };
}

type Deploy = (own: Entries) => v.GenericSchema;

/** What is fetched and handed to an emulator, a simulator or a later action. */
function imageDeploys({ mapping, file, artifact, dockerEntries }: Blocks, deploy: Deploy): Entries {
  const avhImage = { format: oneOf("ext4"), root_partition: atLeast(0), type: oneOf("image") };
  const avhOptions = may({
    options: mapping(may({ model: text, api_endpoint: text, project_name: text })),
  });
  const postprocess = mapping({
    docker: mapping({ ...dockerEntries, steps: texts, ...may({ devices: texts }) }),
  });
  const guestImage = artifact({ image_arg: text });
  return {
    tmpfs: deploy({
      images: someOf(guestImage),
      ...may({ type: oneOf("monitor"), uefi: file }),
    }),
    avh: anyOf(
      [
        deploy({ images: someOf(artifact(avhImage)), ...avhOptions }),
        deploy({ fw_package: artifact({ ...avhImage, storage_file: text }), ...avhOptions }),
      ],
      (input) => (has(input, "fw_package") ? 1 : 0),
    ),
    download: deploy({ images: someOf(file) }),
    downloads: deploy({ images: someOf(file), ...may({ uniquify: flag, postprocess }) }),
    fvp: deploy({
      images: someOf(file),
      ...may({
        ramdisk: mapping(
          may({ install_overlay: flag, compression: text, header: oneOf("u-boot") }),
        ),
        uniquify: flag,
      }),
    }),
    "iso-installer": deploy({
      images: mapping({ iso: guestImage, preseed: file }),
      iso: mapping({ installation_size: text, ...may({ kernel: text, initrd: text }) }),
    }),
    nfs: anyOf(
      [deploy(may({ nfsrootfs: file, modules: file })), deploy({ images: someOf(guestImage) })],
      (input) => (has(input, "images") ? 1 : 0),
    ),
  };
}

/** What a boot loader fetches over the network, and hosts that are there already. */
function netbootDeploys({ mapping, file, artifact }: Blocks, deploy: Deploy): Entries {
  const kernel = artifact({ type: oneOf("image", "uimage", "zimage") });
  const installs = { install_modules: flag, install_overlay: flag };
  return {
    tftp: notBoth(
      ["nfsrootfs", "persistent_nfs"],
      deploy(
        may({
          kernel,
          dtb: file,
          dtbo: listOf(file),
          modules: file,
          preseed: file,
          tee: file,
          ramdisk: artifact({ ...installs, header: oneOf("u-boot") }),
          nfsrootfs: artifact({ ...installs, prefix: text }),
          persistent_nfs: mapping({ address: text, ...may({ install_overlay: flag }) }),
          extra_files: mapOf(file),
        }),
      ),
    ),
    nbd: deploy({
      kernel,
      initrd: file,
      nbdroot: file,
      ...may({ dtb: file }),
    }),
    ssh: deploy(may({ firmware: file, kernel: file, rootfs: file, modules: file })),
  };
}

/** What is written to a board by a tool on the worker. */
function flashDeploys({ mapping, file, artifact, docker }: Blocks, deploy: Deploy): Entries {
  const onPartition = { "apply-overlay": flag, root_partition: atLeast(0) };
  const reboot = oneOf(
    "hard-reset",
    "fastboot-reboot",
    "fastboot-reboot-bootloader",
    "fastboot-reboot-fastboot",
  );
  return {
    fastboot: deploy({
      images: someOf(artifact({ ...onPartition, sparse: flag, reboot })),
      ...may({ docker }),
    }),
    flasher: deploy({
      images: mapOf(artifact({ download: flag })),
      ...may({ uniquify: flag }),
    }),
    mps: deploy({
      images: v.pipe(
        mapping(
          may({
            recovery_image: file,
            "^test_binary(_\\w+)?$": artifact({ rename: text }),
          }),
        ),
        v.minEntries(1, "expected recovery_image or a test_binary"),
      ),
    }),
    musca: deploy({ images: mapping({ test_binary: file }) }),
    qdl: deploy({
      qcomflash: v.union(
        [anyMapping, nonEmptyText, v.pipe(v.array(v.unknown()), v.minLength(1))],
        "expected a mapping, or text or a list that is not empty",
      ),
      ...may({ uniquify: flag, rootfs_image: text }),
    }),
    recovery: deploy({ images: someOf(file) }),
    uuu: deploy({
      images: mapWith({ boot: file }, artifact(onPartition)),
      ...may({ uniquify: flag }),
    }),
    vemsd: deploy({ recovery_image: file }),
  };
}

/** What is written to a medium of the board. */
function mediaDeploys({ mapping, file, artifact }: Blocks, deploy: Deploy): Entries {
  const writer = mapping({ tool: text, options: text, prompt: text });
  const media = notBoth(
    ["images", "image"],
    deploy({
      device: text,
      ...may({
        images: mapWith({ image: file }, file),
        image: artifact({ root_partition: wholeNumber }),
        download: writer,
        writer,
        tool: mapping({ prompts: texts }),
        uniquify: flag,
      }),
    }),
  );
  return {
    sata: media,
    sd: media,
    usb: media,
    "u-boot-ums": deploy({ image: artifact({ root_partition: atLeast(0) }) }),
    "usbg-ms": deploy({ image: file }),
  };
}

/** Labels of one's own choice, one at least. */
const someOf = (one: v.GenericSchema) =>
  v.pipe(mapOf(one), v.minEntries(1, "expected an entry: a label of your choice with a url"));
