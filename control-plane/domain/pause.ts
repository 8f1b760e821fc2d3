/** Lets requests that came meanwhile have their turn. For rules that render many devices. */
export const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
