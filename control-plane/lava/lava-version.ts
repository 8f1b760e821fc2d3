/** The version of LAVA whose surfaces these are; its clients choose by it what they may ask. */
export const LAVA_VERSION = "2023.01";
